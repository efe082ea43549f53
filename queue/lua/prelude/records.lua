-- Reading jobs and tasks.

-- The named fields of a hash as a table; a missing field is ''. A key that is no hash reads as one with schema "none".
local function read(key, names)
  local values = redis.pcall('HMGET', key, unpack(names))
  local record = {}
  for i, name in ipairs(names) do record[name] = not values.err and values[i] or '' end
  if values.err then record.schema = 'none' end
  return record
end

local function field(key, name) return read(key, {name})[name] end

local function number(text) return tonumber(text) or 0 end

local TASK_FIELDS = {'schema', 'job', 'kind', 'window', 'state', 'depends', 'dependents', 'bundle', 'priority', 'sequence',
                     'attempt', 'owner', 'nonce', 'crashes', 'losses', 'failures', 'preemptions', 'step', 'step_reached', 'phase',
                     'tail_sha256', 'digest', 'not_before', 'partial', 'lease_ms', 'ended', 'started', 'host', 'claim'}
local JOB_FIELDS = {'schema', 'state', 'paused', 'hold', 'fingerprint', 'allow_mix', 'dtype', 'priority', 'sequence',
                    'started', 'closed', 'windows', 'bytes_needed', 'rendered', 'revision'}
local KINDS = {image = true, window = true, stitch = true}
local OVER = {done = true, failed = true, cancelled = true}

-- nil when there is no such task; a record that lacks what transitions need has .unreadable set to a reason.
local function load_task(id)
  local task = read(task_key(id), TASK_FIELDS)
  task.id = id
  if task.schema == '' and task.state == '' and task.job == '' then return nil end
  if task.schema ~= SCHEMA then
    task.unreadable = 'task record has schema "' .. task.schema .. '", known is ' .. SCHEMA
  elseif task.job == '' or task.state == '' or not KINDS[task.kind] then
    task.unreadable = 'task record lacks job, kind or state'
  elseif not tonumber(task.priority) or not tonumber(task.sequence) or not tonumber(task.attempt) then
    task.unreadable = 'task record has no number in priority, sequence or attempt'
  end
  return task
end

local function load_job(id)
  local job = read(job_key(id), JOB_FIELDS)
  if job.schema ~= SCHEMA or job.state == '' then return nil end
  job.id = id
  return job
end

-- The first of the takes that a job is one of: itself, if it is no new take of another.
local function family_of(job)
  local family = field(job_key(job), 'family')
  return family ~= '' and family or job
end

-- The job a task id belongs to: ids are "<job>.<what>", so this works without the record.
local function job_of(task_id) return string.match(task_id, '^(.*)%.[^.]*$') or '' end

local function job_tasks(job_id) return redis.call('LRANGE', job_tasks_key(job_id), 0, -1) end

-- Who has given no sign of life for a week is forgotten. index: when each was last seen.
local function drop_silent(index, record_key)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now - 7 * 24 * 3600 * 1000, 'LIMIT', 0, 1000)) do
    redis.call('DEL', record_key(id))
    redis.call('ZREM', index, id)
    redis.call('HDEL', KEY.claims, id)
  end
end
