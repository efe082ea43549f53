-- Makes known what a bundle can do.
--
-- KEYS[1]  bundle:record:<hash>
-- ARGV[3]  bundle hash
-- ARGV[4]  limits (JSON)
-- Returns  {"ok"}.
if redis.call('GET', KEYS[1]) ~= ARGV[4] then event('bundle', '', {'text', ARGV[3]}) end
redis.call('SET', KEYS[1], ARGV[4])
redis.call('ZADD', KEY.bundles, now, ARGV[3])
return {'ok'}
