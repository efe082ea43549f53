-- Turns an inbox entry into a job with its tasks.
--
-- KEYS[1]  inbox:entry:<job>
-- ARGV[3]  job id
-- ARGV[4]  spec with defaults filled in (JSON)
-- ARGV[5]  priority, -100..100
-- ARGV[6]  number of windows
-- ARGV[7]  disk needed, bytes
-- ARGV[8]  job that must be done first, or ""
-- ARGV[9]  dtype that a group must calculate in; "": any
-- ARGV[10] number of tasks; then for each: id, kind, window, spec (JSON), depends, dependents, bundle hash
-- Returns  {"ok"}, also when it was accepted before; {"gone"} when there is no such entry.
local id, spec, priority, windows, bytes, after = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local entry = read(inbox_key(id), {'schema', 'asked', 'request', 'sequence', 'submitted'})
if entry.schema == '' then
  local accepted = redis.call('HGET', job_key(id), 'accepted')
  return {accepted and accepted ~= '0' and 'ok' or 'gone'}
end

local hold = ''
if after ~= '' then
  local state = redis.call('HGET', job_key(after), 'state')
  if state and state ~= 'done' then
    hold = 'waits for ' .. after .. (OVER[state] and ', which is ' .. state or '')
  elseif not state and redis.call('EXISTS', inbox_key(after)) == 1 then
    hold = 'waits for ' .. after
  end
end

local job = {id = id, paused = '0', hold = hold, fingerprint = '', allow_mix = '0', dtype = ARGV[9], started = '0'}
local state = live_state(job)
redis.call('DEL', inbox_key(id))
redis.call('ZREM', KEY.inbox, id)
redis.call('HSET', job_key(id), 'schema', SCHEMA, 'state', state, 'asked', entry.asked, 'spec', spec, 'request', entry.request,
           'priority', priority, 'sequence', entry.sequence, 'windows', windows, 'bytes_needed', bytes, 'after', after,
           'hold', hold, 'paused', '0', 'dtype', job.dtype, 'submitted', entry.submitted, 'accepted', now)
redis.call('ZADD', KEY.jobs, entry.sequence, id)
if hold ~= '' then redis.call('SADD', job_after_key(after), id) end
event('accepted', id, {'state', state, 'text', hold})
for i = 0, tonumber(ARGV[10]) - 1 do
  local at = 11 + 7 * i
  local task = {id = ARGV[at], job = id, kind = ARGV[at + 1], depends = ARGV[at + 4], bundle = ARGV[at + 6],
                priority = priority, sequence = entry.sequence}
  redis.call('RPUSH', job_tasks_key(id), task.id)
  redis.call('HSET', task_key(task.id), 'schema', SCHEMA, 'job', id, 'kind', task.kind, 'window', ARGV[at + 2], 'spec',
             ARGV[at + 3], 'depends', task.depends, 'dependents', ARGV[at + 5], 'bundle', task.bundle, 'priority', priority,
             'sequence', entry.sequence, 'attempt', 0, 'state', 'waiting')
  if task.depends == '' then make_ready(task, job, 0) end
end
return {'ok'}
