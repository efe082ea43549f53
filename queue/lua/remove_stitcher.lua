-- Forgets a stitcher that has ended. Leases it still has run out by themselves.
--
-- KEYS[1]  group:stitcher:<stitcher>
-- ARGV[3]  stitcher id
-- Returns  {"ok"}.
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEY.stitchers, ARGV[3])
redis.call('HDEL', KEY.claims, ARGV[3])
event('stitcher', '', {'owner', ARGV[3], 'state', 'gone'})
return {'ok'}
