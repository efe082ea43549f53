-- Makes a worker group known, or known again.
--
-- KEYS[1]  group:record:<group>
-- ARGV[3]  group id
-- ARGV[4]  record (JSON)
-- ARGV[5]  state; ARGV[6] note, for people
-- Returns  {"ok"}.
redis.call('HSET', KEYS[1], 'schema', SCHEMA, 'record', ARGV[4], 'state', ARGV[5], 'note', ARGV[6], 'last_seen', now)
redis.call('HSETNX', KEYS[1], 'registered', now)
redis.call('ZADD', KEY.groups, now, ARGV[3])
event('group', '', {'owner', ARGV[3], 'state', ARGV[5], 'text', ARGV[6]})
return {'ok'}
