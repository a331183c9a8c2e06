-- wrk script: POST one chat completion; print the totals as one JSON line.
-- Arguments after "--": "json" or "stream".
local body_head = '{"model":"auto","temperature":0.2,"max_tokens":256,'
local messages = '"messages":[{"role":"system","content":"' .. string.rep("You are terse. ", 20) ..
  '"},{"role":"user","content":"' .. string.rep("Why is the sky blue? ", 20) .. '"}]}'

function init(args)
  local stream = ""
  if args[1] == "stream" then stream = '"stream":true,' end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer local-test"
  wrk.body = body_head .. stream .. messages
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"bytes":%d,"socket_errors":%d,' ..
    '"status_errors":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, summary.bytes,
    e.connect + e.read + e.write + e.timeout, e.status,
    latency:percentile(50), latency:percentile(99)))
end
