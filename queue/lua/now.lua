-- The farm's time.
--
-- KEYS[1]  lease:clock_offset
-- Returns  {milliseconds since the epoch}.
return {now}
