-- Put between the prelude and the transitions that make a job of a plan: accept, restore.

-- Enters the tasks of a job that has just been accepted, those that are done already as such, and makes ready what may run.
-- job: id, priority, sequence, and what index_ready reads. ARGV from `at`: number of tasks; then for each: id, kind, window,
-- spec (JSON), depends, dependents, bundle hash, and of one that is done digest, artifact (JSON), sha256 of the tail, tail (JSON)
-- and metrics (JSON), of another five times "".
local function enter_tasks(job, at)
  local waiting = {}
  for first = at + 1, at + 12 * tonumber(ARGV[at]), 12 do
    local task = {id = ARGV[first], job = job.id, kind = ARGV[first + 1], depends = ARGV[first + 4], bundle = ARGV[first + 6],
                  priority = job.priority, sequence = job.sequence}
    redis.call('RPUSH', job_tasks_key(job.id), task.id)
    redis.call('HSET', task_key(task.id), 'schema', SCHEMA, 'job', job.id, 'kind', task.kind, 'window', ARGV[first + 2], 'spec',
               ARGV[first + 3], 'depends', task.depends, 'dependents', ARGV[first + 5], 'bundle', task.bundle, 'priority',
               task.priority, 'sequence', task.sequence, 'attempt', 0, 'state', 'waiting')
    local digest, tail_sha256 = ARGV[first + 7], ARGV[first + 9]
    if digest == '' then
      waiting[#waiting + 1] = task
    else
      redis.call('HSET', task_key(task.id), 'state', 'done', 'digest', digest, 'artifact', ARGV[first + 8], 'metrics',
                 ARGV[first + 11], 'finished', now, 'fraction', 1)
      if tail_sha256 ~= '' then redis.call('HSET', task_key(task.id), 'tail_sha256', tail_sha256, 'tail', ARGV[first + 10]) end
    end
  end
  for _, task in ipairs(waiting) do
    if dependencies_met(task) then make_ready(task, job, 0) end
  end
end

-- Makes a job of what a coordinator has planned, and gives it. It is over where its stitch task is done: the caller says how.
-- entry: asked (JSON), request, sequence and submitted, as in the inbox. ARGV[at] spec with defaults filled in (JSON); then
-- priority, -100..100; number of windows, and how many of them are its own to render; disk needed for those, bytes; job that must be done first, or ""; dtype that a group must
-- calculate in, or ""; fingerprint of the groups that rendered what is done, or ""; the video, relative to DATA, where the stitch
-- task is done, or ""; first of the takes that this is one of, or ""; its number among them; the tasks, see enter_tasks.
-- changes: what operators changed of it before, by the names of the record's fields; nil: nothing.
local function enter_plan(id, entry, at, changes)
  changes = changes or {}
  local spec, priority, windows, rendered, bytes, after, dtype = unpack(ARGV, at, at + 6)
  local fingerprint, output, family, take = unpack(ARGV, at + 7, at + 10)
  local hold = ''
  if after ~= '' and output == '' and changes.after_waived ~= '1' then
    local state = redis.call('HGET', job_key(after), 'state')
    if state and state ~= 'done' then
      hold = 'waits for ' .. after .. (OVER[state] and ', which is ' .. state or '')
    elseif not state and redis.call('EXISTS', inbox_key(after)) == 1 then
      hold = 'waits for ' .. after
    end
  end
  local job = {id = id, priority = changes.priority or priority, sequence = entry.sequence, paused = changes.paused or '0',
               hold = hold, fingerprint = fingerprint, allow_mix = changes.allow_mix or '0', dtype = dtype, started = '0',
               output = output, bytes_needed = bytes, rendered = rendered, take = take}
  job.state = live_state(job)
  redis.call('DEL', inbox_key(id))
  redis.call('ZREM', KEY.inbox, id)
  redis.call('HSET', job_key(id), 'schema', SCHEMA, 'state', job.state, 'asked', entry.asked, 'spec', spec, 'request',
             entry.request, 'priority', job.priority, 'sequence', entry.sequence, 'windows', windows, 'rendered', rendered, 'bytes_needed', bytes,
             'after', after, 'hold', hold, 'paused', job.paused, 'allow_mix', job.allow_mix, 'after_waived',
             changes.after_waived or '0', 'dtype', dtype, 'fingerprint', fingerprint, 'output', output,
             'family', family, 'submitted', entry.submitted, 'accepted', now)
  redis.call('ZADD', KEY.jobs, entry.sequence, id)
  if family ~= '' then redis.call('ZADD', takes_key(family), 1, family, take, id) end
  if hold ~= '' then redis.call('SADD', job_after_key(after), id) end
  event('accepted', id, {'state', job.state, 'text', hold})
  enter_tasks(job, at + 11)
  reserve(job)
  return job
end
