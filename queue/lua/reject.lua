-- Takes an entry out of the inbox and says why. Its request id may be used again.
--
-- KEYS[1]  inbox:entry:<job>
-- ARGV[3]  job id
-- ARGV[4]  reason, for people
-- ARGV[5]  how long the answer is kept, milliseconds
-- ARGV[6]  "1": the entry could not be read; it goes to the dead letters too
-- Returns  {"ok"} or {"gone"} when there is no such entry.
local id, reason, lifetime, corrupt = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local listed = redis.call('ZREM', KEY.inbox, id)
local entry = {asked = '', request = '', sequence = '', submitted = ''}
if redis.call('TYPE', inbox_key(id)).ok == 'hash' then
  entry = read(inbox_key(id), {'asked', 'request', 'sequence', 'submitted'})
end
if listed == 0 and entry.sequence == '' then return {'gone'} end
if corrupt == '1' then dead_letter('inbox', id, reason, entry.asked) end
redis.call('DEL', inbox_key(id))
redis.call('HSET', rejected_key(id), 'schema', SCHEMA, 'asked', entry.asked, 'sequence', entry.sequence, 'submitted',
           entry.submitted, 'finished', now, 'error', reason)
redis.call('PEXPIRE', rejected_key(id), lifetime)
if redis.call('GET', request_key(entry.request)) == id then redis.call('DEL', request_key(entry.request)) end
event('rejected', id, {'state', 'failed', 'text', reason})
return {'ok'}
