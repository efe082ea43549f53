-- A notice has been delivered, or is given up; or it is tried again later.
--
-- KEYS[1]  farm:notices
-- ARGV[3]  id
-- ARGV[4]  milliseconds until it is tried again; "": never
-- ARGV[5]  tries that this was: 0 or 1
-- Returns  {"ok"}.
if ARGV[4] == '' then
  redis.call('ZREM', KEYS[1], ARGV[3])
  redis.call('DEL', notice_key(ARGV[3]))
elseif redis.call('ZSCORE', KEYS[1], ARGV[3]) then
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[4]), ARGV[3])
  redis.call('HINCRBY', notice_key(ARGV[3]), 'tries', ARGV[5])
end
return {'ok'}
