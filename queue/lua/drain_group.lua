-- Asks a group to drain, or takes that back. A draining group is granted no lease.
--
-- KEYS[1]  group:record:<group>
-- ARGV[3]  group id
-- ARGV[4]  "1" or "0"
-- Returns  {"ok"} or {"gone"}.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'gone'} end
redis.call('HSET', KEYS[1], 'drain', ARGV[4])
event('group', '', {'owner', ARGV[3], 'text', ARGV[4] == '1' and 'asked to drain' or 'no longer asked to drain'})
return {'ok'}
