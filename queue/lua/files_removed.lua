-- Nothing of a removed job lies in DATA any more.
--
-- KEYS[1]  job:removing
-- ARGV[3]  job id
-- Returns  {"ok"}, also when it was said before.
redis.call('HDEL', KEYS[1], ARGV[3])
return {'ok'}
