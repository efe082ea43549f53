-- The parts of this folder are put before every transition, in the order of queue/CMakeLists.txt: keys, journal, records,
-- ready, jobs, leases. A part uses those before it. A transition's own arguments start at ARGV[3].
--
-- KEYS[1]  the record or index the transition is about: routes the call on a cluster. Every other key shares its {farm} tag.
-- ARGV[1]  prefix of every key, "{farm}:"
-- ARGV[2]  events kept in the stream, approximately
--
-- Rules: a transition checks everything before its first write. JSON (spec, artifact, ...) is stored and returned, never read.
--
-- This part: the names of all keys, and the time. It is the server's; for tests lease:clock_offset adds milliseconds to it, or
-- as "=N" stops it at N.

local prefix, max_events = ARGV[1], ARGV[2]
local SCHEMA = '1'

local KEY = {
  inbox = prefix .. 'inbox:index',
  sequence = prefix .. 'inbox:sequence',
  jobs = prefix .. 'job:index',
  finished = prefix .. 'job:finished',
  reserved = prefix .. 'job:reserved',
  removing = prefix .. 'job:removing',
  farm_pause = prefix .. 'job:farm_pause',
  delayed = prefix .. 'task:delayed',
  ready_stitch = prefix .. 'task:ready:stitch',
  leases = prefix .. 'lease:expiry',
  claims = prefix .. 'lease:claims',
  claim_sequence = prefix .. 'lease:sequence',
  clock_offset = prefix .. 'lease:clock_offset',
  groups = prefix .. 'group:index',
  stitchers = prefix .. 'group:stitchers',
  bundles = prefix .. 'bundle:index',
  events = prefix .. 'event:stream',
  dead = prefix .. 'event:dead',
  disk = prefix .. 'farm:disk',
  notices = prefix .. 'farm:notices',
}
local function inbox_key(job) return prefix .. 'inbox:entry:' .. job end
local function rejected_key(job) return prefix .. 'inbox:rejected:' .. job end
local function request_key(request) return prefix .. 'request:' .. request end
local function job_key(job) return prefix .. 'job:record:' .. job end
local function job_tasks_key(job) return prefix .. 'job:tasks:' .. job end
local function job_after_key(job) return prefix .. 'job:after:' .. job end
local function job_blocklist_key(job) return prefix .. 'job:blocklist:' .. job end
local function job_crashed_key(job) return prefix .. 'job:crashed:' .. job end
local function takes_key(family) return prefix .. 'job:takes:' .. family end
local function used_take_key(family) return prefix .. 'job:used:' .. family end
local function task_key(task) return prefix .. 'task:record:' .. task end
local function group_key(group) return prefix .. 'group:record:' .. group end
local function stitcher_key(stitcher) return prefix .. 'group:stitcher:' .. stitcher end
local function notice_key(id) return prefix .. 'farm:notice:entry:' .. id end
local function bundle_key(hash) return prefix .. 'bundle:record:' .. hash end
local function ready_key(kind, bundle, audience)
  if kind == 'stitch' then return KEY.ready_stitch end
  local key = prefix .. 'task:ready:' .. kind .. ':' .. bundle
  if audience ~= '' then key = key .. ':' .. audience end
  return key
end

local function server_ms()
  local time, offset = redis.call('TIME'), redis.call('GET', KEY.clock_offset) or '0'
  local stopped = string.match(offset, '^=(%d+)$')
  if stopped then return tonumber(stopped) end
  return time[1] * 1000 + math.floor(time[2] / 1000) + (tonumber(offset) or 0)
end
local now = server_ms()
