-- Keeps how full DATA is. While it is full no image and no window is leased; stitching goes on, for it ends jobs.
--
-- KEYS[1]  farm:disk
-- ARGV[3]  "1": above the high-water mark
-- ARGV[4]  bytes free; ARGV[5] bytes in all; ARGV[6] the high-water mark, percent
-- Returns  {"ok"}.
local was = redis.call('HGET', KEYS[1], 'full') or '0'
redis.call('HSET', KEYS[1], 'full', ARGV[3], 'free', ARGV[4], 'capacity', ARGV[5], 'high_water', ARGV[6], 'measured', now)
if was ~= ARGV[3] then event('disk', '', {'state', ARGV[3] == '1' and 'full' or 'room'}) end
return {'ok'}
