-- Forgets a group that has ended. Leases it still has run out by themselves.
--
-- KEYS[1]  group:record:<group>
-- ARGV[3]  group id
-- Returns  {"ok"}.
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEY.groups, ARGV[3])
redis.call('HDEL', KEY.claims, ARGV[3])
event('group', '', {'owner', ARGV[3], 'state', 'gone'})
return {'ok'}
