-- What this server has of jobs, all at one moment.
--
-- KEYS[1]  job:index
-- ARGV[3]  and further: job ids
-- Returns  for each "known" (accepted, in the inbox or rejected), "removing" or "unknown".
local reply = {}
for i = 3, #ARGV do
  local id = ARGV[i]
  if redis.call('HEXISTS', KEY.removing, id) == 1 then
    reply[#reply + 1] = 'removing'
  elseif redis.call('EXISTS', job_key(id), inbox_key(id), rejected_key(id)) > 0 then
    reply[#reply + 1] = 'known'
  else
    reply[#reply + 1] = 'unknown'
  end
end
return reply
