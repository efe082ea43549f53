-- Which tasks may be claimed. A ready task is in exactly one index: task:delayed until its back-off is over; else, unless its
-- job is paused or held, task:ready:<kind>:<bundle>[:<audience>] or task:ready:stitch. Pause, hold and audience do not concern
-- stitching.

-- Higher priority first, then submit order; tasks of one job tie and sort by id. Exact: below 2^50.
local function rank(task) return (100 - number(task.priority)) * 4398046511104 + number(task.sequence) end

-- Whether an operator has stopped the whole farm (pause_farm).
local function farm_paused() return redis.call('EXISTS', KEY.farm_pause) == 1 end

-- The groups that calculate in a dtype. No fingerprint looks like this: fingerprints are hexadecimal.
local function with_dtype(dtype) return dtype ~= '' and 'dtype=' .. dtype or '' end

-- Which groups may claim what a job renders: those with its fingerprint, else those with the dtype it asks for; '' is all.
local function audience(job)
  if job.fingerprint ~= '' and job.allow_mix ~= '1' then return job.fingerprint end
  return with_dtype(job.dtype)
end

-- Enters a task of state ready into the index it belongs to, or into none while its job is paused or held.
local function index_ready(task, job)
  if number(task.not_before) > now then
    redis.call('ZADD', KEY.delayed, task.not_before, task.id)
    return
  end
  -- Its rest, if it had one, is over for good, whatever the clock does next.
  if number(task.not_before) ~= 0 then redis.call('HSET', task_key(task.id), 'not_before', 0) end
  if task.kind == 'stitch' then
    redis.call('ZADD', KEY.ready_stitch, rank(task), task.id)
  elseif job.paused ~= '1' and job.hold == '' then
    redis.call('ZADD', ready_key(task.kind, task.bundle, audience(job)), rank(task), task.id)
  end
end

local function unindex(task, job)
  redis.call('ZREM', KEY.delayed, task.id)
  for _, to in ipairs({'', with_dtype(job.dtype), job.fingerprint}) do
    redis.call('ZREM', ready_key(task.kind, task.bundle, to), task.id)
  end
end

-- Ready after `delay` milliseconds.
local function make_ready(task, job, delay)
  task.state, task.not_before = 'ready', delay > 0 and now + delay or 0
  redis.call('HSET', task_key(task.id), 'state', 'ready', 'not_before', task.not_before)
  index_ready(task, job)
  event('ready', task.job, {'task', task.id, 'state', 'ready'})
end

-- depends: "task:tail" and "task:done", separated by spaces.
local function dependencies_met(task)
  for other, on in string.gmatch(task.depends, '(%S+):(%a+)') do
    local dependency = read(task_key(other), {'state', 'tail_sha256'})
    local met = dependency.state == 'done' or (on == 'tail' and dependency.tail_sha256 ~= '')
    if not met then return false end
  end
  return true
end

-- Makes ready what waits for `task` and now may run. Looks at the dependencies themselves: no counter can drift.
local function settle_dependents(task, job)
  for id in string.gmatch(task.dependents, '%S+') do
    local dependent = load_task(id)
    if dependent and not dependent.unreadable and dependent.state == 'waiting' and dependencies_met(dependent) then
      make_ready(dependent, job, 0)
    end
  end
end

-- Until a dependency is met again. The caller has taken the task out of its index.
local function make_waiting(task)
  task.state = 'waiting'
  redis.call('HSET', task_key(task.id), 'state', 'waiting', 'not_before', 0)
end

-- After a lease: ready once more, or waiting where what it starts from was given up meanwhile (reject_input).
local function make_ready_again(task, job, delay)
  if dependencies_met(task) then make_ready(task, job, delay) else make_waiting(task) end
end
