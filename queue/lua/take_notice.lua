-- Gives the notice that is due longest, and to nobody else for a while.
--
-- KEYS[1]  farm:notices
-- ARGV[3]  that while, milliseconds
-- Returns  {"ok", id, receiver, body, tries before, milliseconds since it was entered} or {"none"}.
local id = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)[1]
if not id then return {'none'} end
local notice = read(notice_key(id), {'receiver', 'body', 'tries', 'entered'})
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), id)
return {'ok', id, notice.receiver, notice.body, number(notice.tries), now - number(notice.entered)}
