"""The operations that need several commands at once, as Lua for Redis 7.0 (CMP-6).

Every script gets its keys in KEYS, one slot each (CTL-22), and its time from the caller in ARGV.
The Python twin of each is the method of the same name in `memory`.
"""

REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""

RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

INCR_AND_PUBLISH = """
local count = redis.call('INCR', KEYS[1])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return count
"""

# KEYS: any, whose server is asked. Returns seconds and microseconds.
NOW = """
return redis.call('TIME')
"""

# KEYS: the cell. ARGV: now_ms, limit, period_ms, burst, cost. Returns allowed, remaining, retry_ms.
GCRA = """
local now, limit, period = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local burst, cost = tonumber(ARGV[4]), tonumber(ARGV[5])
local interval = period / limit
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or now) or now, now)
if tat > now + interval * burst + 60000 then tat = now end -- the clock went back
local after = tat + interval * cost
local wait = after - interval * burst - now
if wait > 0.001 then return {0, 0, math.ceil(wait - 0.001)} end
if after > now then
  redis.call('SET', KEYS[1], string.format('%.3f', after), 'PX', math.ceil(after - now))
else
  redis.call('DEL', KEYS[1])
end
return {1, math.floor((now + interval * burst - after) / interval + 0.001), 0}
"""

# KEYS: live sorted set, details, ended. ARGV: now_ms, ttl_ms, kept_ms, then the script's own.
_SESSIONS = """
local S, D, G = KEYS[1], KEYS[2], KEYS[3]
local now, ttl, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ended = {}
local function few()
  if redis.call('ZCARD', S) > 10000 then error('more sessions than an account has') end
end
local function device_of(value)
  if #value > 65536 then error('a longer detail than a session has') end
  return string.sub(value, 1, string.find(value, '%z') - 1)
end
local function bury(id, reason)
  local value = redis.call('HGET', D, id)
  local at = now
  if reason == 'expired' then at = tonumber(redis.call('ZSCORE', S, id)) + ttl end
  redis.call('ZREM', S, id)
  redis.call('HDEL', D, id)
  redis.call('HSET', G, id, reason .. '\\0' .. string.format('%d', at) .. '\\0' .. value)
  redis.call('PEXPIRE', G, kept)
  ended[#ended + 1] = {id, reason, value}
end
local function seen(id, value)
  redis.call('ZADD', S, now, id)
  if value then redis.call('HSET', D, id, value) end
  redis.call('PEXPIRE', S, kept)
  redis.call('PEXPIRE', D, kept)
end
local function expire()
  few()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', S, '-inf', now - ttl)) do bury(id, 'expired') end
end
"""

# own ARGV: limit, session, device, packed value, terminate...
ADMIT = (
    _SESSIONS
    + """
local limit, id, device, value = tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]
expire()
for i = 8, #ARGV do
  if redis.call('ZSCORE', S, ARGV[i]) then bury(ARGV[i], 'terminated') end
end
for _, other in ipairs(redis.call('ZRANGE', S, 0, -1)) do
  local same = device_of(redis.call('HGET', D, other)) == device
  if same and other ~= id then bury(other, 'replaced') end
end
local admitted = 0
if redis.call('ZSCORE', S, id) or redis.call('ZCARD', S) < limit then
  redis.call('HDEL', G, id)
  seen(id, value)
  admitted = 1
end
local live, rows = {}, redis.call('ZRANGE', S, 0, -1, 'WITHSCORES')
for i = 1, #rows, 2 do
  live[#live + 1] = {rows[i], rows[i + 1], redis.call('HGET', D, rows[i])}
end
return {admitted, live, ended}
"""
)

# own ARGV: limit, session, late_ms, detail given (0, 1), detail. Returns beat, reason.
HEARTBEAT = (
    _SESSIONS
    + """
local limit, id, late = tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local last, value, due = redis.call('ZSCORE', S, id), redis.call('HGET', D, id), nil
if last then
  due = tonumber(last) + ttl
else
  local grave = redis.call('HGET', G, id)
  if not grave then return {'unknown', ''} end
  local a = string.find(grave, '%z')
  local b = string.find(grave, '%z', a + 1)
  local reason = string.sub(grave, 1, a - 1)
  due, value = tonumber(string.sub(grave, a + 1, b - 1)), string.sub(grave, b + 1)
  if due + kept <= now then
    redis.call('HDEL', G, id)
    return {'unknown', ''}
  end
  if reason ~= 'expired' then return {'ended', reason} end
end
local beat = 'live'
if due <= now then
  if now - due > late then return {'unknown', ''} end
  few()
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', S, now - ttl + 1, '+inf')) do
    local same = device_of(redis.call('HGET', D, other)) == device_of(value)
    if same then return {'ended', 'replaced'} end
  end
  if redis.call('ZCOUNT', S, now - ttl + 1, '+inf') >= limit then return {'limit', ''} end
  beat = 'readmitted'
end
if ARGV[7] == '1' then value = device_of(value) .. '\\0' .. ARGV[8] end
redis.call('HDEL', G, id)
seen(id, value)
return {beat, ''}
"""
)

# own ARGV: session, packed value, session, packed value... An account that ADMIT can read stays.
RESTORE = (
    _SESSIONS
    + """
local function readable()
  few()
  redis.call('HLEN', D)
  redis.call('HLEN', G)
  for _, id in ipairs(redis.call('ZRANGE', S, 0, -1)) do device_of(redis.call('HGET', D, id)) end
end
if pcall(readable) then return end
redis.call('DEL', S, D, G)
for at = 4, #ARGV, 2 do seen(ARGV[at], ARGV[at + 1]) end
"""
)

# own ARGV: session, reason.
END = (
    _SESSIONS
    + """
if not redis.call('ZSCORE', S, ARGV[4]) then return {} end
bury(ARGV[4], ARGV[5])
return ended
"""
)

# Returns the ended, and when the next session of this account is due (-1: none is live).
REAP_ACCOUNT = (
    _SESSIONS
    + """
expire()
local first = redis.call('ZRANGE', S, 0, 0, 'WITHSCORES')
return {ended, first[2] and string.format('%d', tonumber(first[2]) + ttl) or '-1'}
"""
)

# KEYS: an index shard. ARGV: now_ms, when to look at the latest, account. Goes beside an admission;
# nobody looks within a second, as another server of a cluster may carry that out a moment later. A
# lease, which alone is no whole number, ends: its reaper will not forget the account.
LOOK = """
local latest, due = tonumber(ARGV[2]), redis.call('ZSCORE', KEYS[1], ARGV[3])
if due then
  local soon = math.max(math.floor(tonumber(due)), tonumber(ARGV[1]) + 1000)
  latest = math.min(latest, soon)
end
redis.call('ZADD', KEYS[1], string.format('%d', latest), ARGV[3])
"""

# KEYS: a stream, and where what is none is put aside. ARGV: how many entries it may have, then the
# new ones. Returns how many it lost, and the type of what was put aside.
APPEND_ALL = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'stream' or kind == 'none' then kind = '' else redis.call('RENAME', KEYS[1], KEYS[2]) end
local had = redis.call('XLEN', KEYS[1])
for at = 2, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[1], '*', 'b', ARGV[at])
end
return {had + #ARGV - 1 - redis.call('XLEN', KEYS[1]), kind}
"""

# KEYS: an index shard. ARGV: now_ms, lease score, count. Due accounts, leased to this reaper.
CLAIM_DUE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, account in ipairs(due) do redis.call('ZADD', KEYS[1], ARGV[2], account) end
return due
"""

# KEYS: an index shard. ARGV: account, lease score. Forget the account unless it was admitted since.
FORGET = """
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or -1) == tonumber(ARGV[2]) then
  redis.call('ZREM', KEYS[1], ARGV[1])
end
"""
