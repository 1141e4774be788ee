// Gcs serves Google Cloud Storage on a free port of 127.0.0.1, with empty buckets of the names that it is given, and prints
// its URL.
//
// The server is fake-gcs-server as it is. It takes objects by the JSON API alone, and the library that the registry goes
// by puts them by the XML API (https://github.com/fsouza/fake-gcs-server/issues/331): a put is handed on as the upload that
// it is, its condition as the parameter of the same meaning, and the answer's generation is told in a header.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	address := listener.Addr().String()
	storage, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		NoListener:  true,
		PublicHost:  address,
		ExternalURL: "http://" + address,
		Writer:      io.Discard,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, bucket := range os.Args[1:] {
		storage.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	}
	fmt.Println("http://" + address)
	log.Fatal(http.Serve(listener, xmlPuts(storage.HTTPHandler())))
}

func xmlPuts(storage http.Handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		bucket, object, found := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
		if request.Method != http.MethodPut || !found || request.URL.RawQuery != "" {
			storage.ServeHTTP(response, request)
			return
		}
		query := url.Values{"uploadType": {"media"}, "name": {object}}
		if generation := request.Header.Get("x-goog-if-generation-match"); generation != "" {
			query.Set("ifGenerationMatch", generation)
		}
		upload := request.Clone(request.Context())
		upload.Method = http.MethodPost
		upload.URL = &url.URL{Path: "/upload/storage/v1/b/" + bucket + "/o", RawQuery: query.Encode()}
		answer := httptest.NewRecorder()
		storage.ServeHTTP(answer, upload)
		var written struct{ Etag, Generation string }
		if answer.Code == http.StatusOK {
			if err := json.Unmarshal(answer.Body.Bytes(), &written); err != nil {
				log.Fatal(err)
			}
			response.Header().Set("ETag", `"`+written.Etag+`"`)
			response.Header().Set("x-goog-generation", written.Generation)
		}
		response.WriteHeader(answer.Code)
	})
}
