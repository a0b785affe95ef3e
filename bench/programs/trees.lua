-- trees.lua - a benchmark program: binary trees of tables, and strings built, sorted and dropped.
local function build(depth)
    if depth == 0 then return {} end
    return {build(depth - 1), build(depth - 1)}
end

local function count(tree)
    if not tree[1] then return 1 end
    return 1 + count(tree[1]) + count(tree[2])
end

local kept, nodes = build(16), 0
for _ = 1, 40 do nodes = nodes + count(build(14)) end
local words = {}
for i = 1, 150000 do words[i] = ("%x-%d"):format(i * 2654435761 % 4294967296, i) end
table.sort(words)
local text = table.concat(words, " ")
local letters = 0
for _ in text:gmatch("%a+") do letters = letters + 1 end
print(nodes, count(kept), #text, letters)
