-- Sends the file named by the first argument, and sums up as one line of JSON.
-- wrk itself counts answers with a status over 399 as errors of kind "status".
init = function(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.body = file:read("*a")
  file:close()
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

done = function(summary, latency)
  local line = '\nRESULT {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"errors":{%s}}\n'
  local errors = {}
  for kind, count in pairs(summary.errors) do
    errors[#errors + 1] = string.format('"%s":%d', kind, count)
  end
  io.write(line:format(summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    table.concat(errors, ",")))
end
