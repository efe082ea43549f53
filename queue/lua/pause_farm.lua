-- Stops the whole farm, or lets it go on: meanwhile no image and no window is leased, and whoever renders one is told to finish
-- its step and to give it back. Stitching goes on. Jobs keep what they are: paused ones stay so when the farm goes on.
--
-- KEYS[1]  job:farm_pause
-- ARGV[3]  "1": stop, "0": go on
-- ARGV[4]  by whom, for people
-- Returns  {"ok"} or {"unchanged"}.
local stop = ARGV[3] == '1'
if (redis.call('EXISTS', KEYS[1]) == 1) == stop then return {'unchanged'} end
if stop then
  redis.call('HSET', KEYS[1], 'by', ARGV[4], 'since', now)
else
  redis.call('DEL', KEYS[1])
end
event('farm', '', {'state', stop and 'paused' or 'resumed', 'text', ARGV[4]})
return {'ok'}
