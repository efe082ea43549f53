-- Makes a worker group known, or known again, and forgets those that have long been silent.
--
-- KEYS[1]  group:record:<group>
-- ARGV[3]  group id
-- ARGV[4]  record (JSON)
-- ARGV[5]  state; ARGV[6] note, for people
-- ARGV[7]  host; ARGV[8] bundle hash, ARGV[9] fingerprint, ARGV[10] dtype: what decides which tasks it may claim
-- Returns  {"ok"}.
drop_silent(KEY.groups, group_key)
redis.call('HSET', KEYS[1], 'schema', SCHEMA, 'record', ARGV[4], 'state', ARGV[5], 'note', ARGV[6], 'last_seen', now,
           'host', ARGV[7], 'bundle', ARGV[8], 'fingerprint', ARGV[9], 'dtype', ARGV[10])
redis.call('HSETNX', KEYS[1], 'registered', now)
redis.call('ZADD', KEY.groups, now, ARGV[3])
event('group', '', {'owner', ARGV[3], 'state', ARGV[5], 'text', ARGV[6]})
return {'ok'}
