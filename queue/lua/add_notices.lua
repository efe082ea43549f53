-- Enters what is to be told about one thing, once: not again for the same `since`, nor for one before it.
--
-- KEYS[1]  farm:notice:told:<subject>
-- ARGV[3]  since, milliseconds: when it came about
-- ARGV[4]  how long that is remembered, milliseconds
-- ARGV[5]  and then for each receiver: id, receiver, body (JSON)
-- Returns  {"ok"} or {"told"}.
if number(redis.call('GET', KEYS[1])) >= tonumber(ARGV[3]) then return {'told'} end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
for first = 5, #ARGV, 3 do
  redis.call('HSET', notice_key(ARGV[first]), 'receiver', ARGV[first + 1], 'body', ARGV[first + 2], 'tries', 0, 'entered', now)
  redis.call('ZADD', KEY.notices, now, ARGV[first])
end
return {'ok'}
