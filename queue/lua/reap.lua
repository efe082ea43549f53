-- Ends leases that ran out. Works on ids and a few numbers, never on payloads: one bad record cannot stop it.
--
-- KEYS[1]  lease:expiry
-- ARGV[3]  server time the caller counts on, milliseconds; ARGV[4] tolerance: else the clock has jumped in between
-- ARGV[5]  milliseconds to shift all leases and back-offs by first, because the server's clock jumped
-- ARGV[6]  "1": give every lease a full term and no back-off more than the longest first, because the farm was away
-- ARGV[7]  leases to end at most
-- ARGV[8]  leases run out at one step that make a task poison
-- ARGV[9]  back-off, milliseconds, doubled each time; ARGV[10] at most
-- ARGV[11] crashes of one job on one host from which on the job passes it by
-- Returns  {"ok", requeued, poisoned, cancelled, dropped} or {"jumped"}: measure the clock again.
if math.abs(now - tonumber(ARGV[3])) > tonumber(ARGV[4]) then return {'jumped'} end
local shift, grace, limit = tonumber(ARGV[5]), ARGV[6] == '1', tonumber(ARGV[7])
local max_losses, base, cap = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])

if shift ~= 0 or grace then
  local leases = redis.call('ZRANGE', KEY.leases, 0, -1, 'WITHSCORES')
  for i = 1, #leases, 2 do
    local expiry, term = tonumber(leases[i + 1]), number(field(task_key(leases[i]), 'lease_ms'))
    -- A lease renewed since the jump is right already: no more than a full term from now shows which those are.
    local moved = expiry
    if shift > 0 or expiry > now + term then moved = math.min(expiry + shift, now + term) end
    -- Not later either: the clock may have gone back while nobody watched it.
    if grace then moved = now + term end
    redis.call('ZADD', KEY.leases, moved, leases[i])
  end
end
if shift ~= 0 or grace then
  local delayed = redis.call('ZRANGE', KEY.delayed, 0, -1, 'WITHSCORES')
  for i = 1, #delayed, 2 do
    local moved = math.min(tonumber(delayed[i + 1]) + shift, now + cap)
    redis.call('ZADD', KEY.delayed, moved, delayed[i])
    redis.pcall('HSET', task_key(delayed[i]), 'not_before', moved)
  end
end

local requeued, poisoned, cancelled, dropped = 0, 0, 0, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEY.leases, '-inf', now, 'LIMIT', 0, limit)) do
  local task = load_task(id)
  local job = task and not task.unreadable and load_job(task.job)
  if not job then
    drop_corrupt(id, task and (task.unreadable or 'job record is missing or unreadable') or 'task record is missing')
    dropped = dropped + 1
  elseif task.state ~= 'leased' then
    redis.call('ZREM', KEY.leases, id)
    dropped = dropped + 1
  elseif OVER[job.state] and task.kind ~= 'stitch' then
    end_cancelled(task, job, 'reap')
    cancelled = cancelled + 1
  else
    local message = 'lease of ' .. task.owner .. ' ran out: no sign of life for ' .. task.lease_ms .. ' ms'
    count_host_crash(task, tonumber(ARGV[11]))
    local over = count_and_retry(task, job, 'losses', max_losses, 'poison', 'reap', 'lost', message, base, cap)
    if over then poisoned = poisoned + 1 else requeued = requeued + 1 end
  end
end
return {'ok', requeued, poisoned, cancelled, dropped}
