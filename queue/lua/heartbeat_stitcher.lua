-- Makes a stitcher known and keeps it so.
--
-- KEYS[1]  group:stitcher:<stitcher>
-- ARGV[3]  stitcher id
-- ARGV[4]  host; ARGV[5] pid; ARGV[6] jobs that it follows; ARGV[7] note, for people
-- Returns  {"ok"}.
local id = ARGV[3]
if redis.call('EXISTS', KEYS[1]) == 0 then
  drop_silent(KEY.stitchers, stitcher_key)
  event('stitcher', '', {'owner', id, 'state', 'there', 'text', ARGV[4]})
end
redis.call('HSET', KEYS[1], 'schema', SCHEMA, 'host', ARGV[4], 'pid', ARGV[5], 'follow', ARGV[6], 'note', ARGV[7], 'last_seen', now)
redis.call('ZADD', KEY.stitchers, now, id)
return {'ok'}
