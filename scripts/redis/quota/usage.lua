-- usage.lua: what a project uses and has reserved.
--
-- KEYS[1] usage       see ledger.lua
-- KEYS[2] held        see ledger.lua
-- KEYS[3] deadlines   see ledger.lua
-- KEYS[4] pinned      see ledger.lua
-- ARGV[1] tombstones  see ledger.lua
-- ARGV[2] keep        see ledger.lua
-- ARGV[3] resources   JSON [[resource], ...]
--
-- Returns {"usage", alarm, JSON [[in use, reserved], ...]} in the order of resources.

local resources = cjson.decode(ARGV[3])

return answer(function()
  fetch(in_use, resources)
  fetch(reserved, resources)
  fetch(holds, resources)
  local rows = {}
  for i, resource in ipairs(resources) do
    local name = resource[1]
    rows[i] = { in_use.of[name], reserved.of[name] + holds.of[name] }
  end
  return { 'usage', cjson.encode(rows) }
end)
