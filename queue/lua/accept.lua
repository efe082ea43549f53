-- Turns an inbox entry into a job with its tasks, some of which may be done already.
--
-- KEYS[1]  inbox:entry:<job>
-- ARGV[3]  job id
-- ARGV[4]  spec with defaults filled in (JSON)
-- ARGV[5]  priority, -100..100
-- ARGV[6]  number of windows
-- ARGV[7]  disk needed, bytes
-- ARGV[8]  job that must be done first, or ""
-- ARGV[9]  dtype that a group must calculate in; "": any
-- ARGV[10] fingerprint of the groups that rendered what is done already; "": nothing is
-- ARGV[11] the video, relative to DATA, where the stitch task is done too; else ""
-- ARGV[12] first of the takes that this is one of, or ""; ARGV[13] its number among them
-- ARGV[14] the tasks: see enter_tasks
-- Returns  {"ok"}, also when it was accepted before; {"gone"} when there is no such entry.
local id, spec, priority, windows, bytes, after = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local fingerprint, output, family, take = ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local entry = read(inbox_key(id), {'schema', 'asked', 'request', 'sequence', 'submitted'})
if entry.schema == '' then
  local accepted = redis.call('HGET', job_key(id), 'accepted')
  return {accepted and accepted ~= '0' and 'ok' or 'gone'}
end

local hold = ''
if after ~= '' and output == '' then
  local state = redis.call('HGET', job_key(after), 'state')
  if state and state ~= 'done' then
    hold = 'waits for ' .. after .. (OVER[state] and ', which is ' .. state or '')
  elseif not state and redis.call('EXISTS', inbox_key(after)) == 1 then
    hold = 'waits for ' .. after
  end
end

local job = {id = id, priority = priority, sequence = entry.sequence, paused = '0', hold = hold, fingerprint = fingerprint,
             allow_mix = '0', dtype = ARGV[9], started = '0'}
job.state = live_state(job)
redis.call('DEL', inbox_key(id))
redis.call('ZREM', KEY.inbox, id)
redis.call('HSET', job_key(id), 'schema', SCHEMA, 'state', job.state, 'asked', entry.asked, 'spec', spec, 'request',
           entry.request, 'priority', priority, 'sequence', entry.sequence, 'windows', windows, 'bytes_needed', bytes, 'after',
           after, 'hold', hold, 'paused', '0', 'dtype', job.dtype, 'fingerprint', fingerprint, 'output', output, 'family', family,
           'submitted', entry.submitted, 'accepted', now)
redis.call('ZADD', KEY.jobs, entry.sequence, id)
if hold ~= '' then redis.call('SADD', job_after_key(after), id) end
event('accepted', id, {'state', job.state, 'text', hold})
if family ~= '' then redis.call('ZADD', takes_key(family), 1, family, take, id) end
enter_tasks(job, 14)
if output ~= '' then
  set_job_over(job, 'done', '', '', '')
  close_if_over(job)
end
return {'ok'}
