-- Keeps a group alive and says whether an operator asked it to drain.
--
-- KEYS[1]  group:record:<group>
-- ARGV[3]  group id
-- ARGV[4]  state; ARGV[5] note, for people; ARGV[6] what its host's clock shows, milliseconds
-- Returns  {"ok"}, {"drain"} or {"gone"}: register again.
local known = redis.call('HMGET', KEYS[1], 'schema', 'state', 'drain')
if not known[1] then return {'gone'} end
redis.call('HSET', KEYS[1], 'state', ARGV[4], 'note', ARGV[5], 'last_seen', now, 'clock_ahead', ARGV[6] - now)
redis.call('ZADD', KEY.groups, now, ARGV[3])
if known[2] ~= ARGV[4] then event('group', '', {'owner', ARGV[3], 'state', ARGV[4], 'text', ARGV[5]}) end
return {known[3] == '1' and 'drain' or 'ok'}
