-- Keeps with an inbox entry why it is not accepted yet.
--
-- KEYS[1]  inbox:entry:<job>
-- ARGV[3]  job id
-- ARGV[4]  reason, for people
-- Returns  {"ok"} or {"gone"} when there is no such entry.
local waiting = redis.call('HMGET', KEYS[1], 'schema', 'waiting')
if not waiting[1] then return {'gone'} end
if waiting[2] ~= ARGV[4] then
  redis.call('HSET', KEYS[1], 'waiting', ARGV[4])
  event('waiting', ARGV[3], {'state', 'submitted', 'text', ARGV[4]})
end
return {'ok'}
