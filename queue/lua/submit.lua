-- Puts jobs into the inbox, all or none, in order. A request id seen before gives its job and adds nothing.
--
-- KEYS[1]  inbox:index
-- ARGV[3]  how long a request id is remembered, milliseconds
-- ARGV[4]  number of jobs; then for each: job id, request id, spec (JSON)
-- Returns  {"ok", job id, 1 created | 0 known, ...} or {"collision", job id} when an id is taken: draw another.
local lifetime, count = ARGV[3], tonumber(ARGV[4])
local known, fresh = {}, {}
for i = 0, count - 1 do
  local job, request = ARGV[5 + 3 * i], ARGV[6 + 3 * i]
  known[i] = redis.call('GET', request_key(request)) or fresh[request]
  if not known[i] then
    local taken = redis.call('EXISTS', inbox_key(job), job_key(job), rejected_key(job)) + redis.call('HEXISTS', KEY.removing, job)
    if taken > 0 then return {'collision', job} end
    fresh[request] = job
  end
end

local reply = {'ok'}
for i = 0, count - 1 do
  local job, request, spec = ARGV[5 + 3 * i], ARGV[6 + 3 * i], ARGV[7 + 3 * i]
  if known[i] then
    reply[#reply + 1], reply[#reply + 2] = known[i], 0
  else
    local sequence = redis.call('INCR', KEY.sequence)
    redis.call('HSET', inbox_key(job), 'schema', SCHEMA, 'asked', spec, 'request', request, 'sequence', sequence, 'submitted', now)
    redis.call('ZADD', KEY.inbox, sequence, job)
    redis.call('SET', request_key(request), job, 'PX', lifetime)
    event('submitted', job, {'state', 'submitted'})
    reply[#reply + 1], reply[#reply + 2] = job, 1
  end
end
return reply
