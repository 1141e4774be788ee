module github.com/sklearn-kserve/tools/pause

go 1.25.0

tool github.com/sklearn-kserve/tools/pause
