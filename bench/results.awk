# Reads the runs of bench/run.sh, one JSON object a line, and takes medians over their rounds; what is
# to be printed of them is in the file that is read after this one.

# The value of a key; the objects are flat, and no value has a comma.
function field(line, key,    at, rest) {
    at = index(line, "\"" key "\": ")
    if (!at)
        return ""
    rest = substr(line, at + length(key) + 4)
    sub(/[,}].*/, "", rest)
    gsub(/"/, "", rest)
    return rest
}

BEGIN {
    key_count = split("calls_per_second broker_cpu_us_per_call p50_us p999_us broker_peak_kib idle_kib_each", keys, " ")
}

{
    name = field($0, "case")
    system_name = field($0, "system")
    round = field($0, "round") + 0
    if (!(name in case_seen)) {
        case_seen[name] = 1
        cases[++case_count] = name
        label[name] = label_of($0, name)
        if (group_of(name) != "" && !(group_of(name) in first_of))
            first_of[group_of(name)] = name
    }
    if (!(system_name in system_seen)) {
        system_seen[system_name] = 1
        systems[++system_count] = system_name
    }
    if (round > rounds)
        rounds = round
    for (i = 1; i <= key_count; i++)
        value[name, system_name, keys[i], round] = field($0, keys[i])
}

# Cases that are compared with the first of their group, not with another system.
function group_of(name) {
    return name ~ /^(light|services|idle|workers)-/ ? substr(name, 1, index(name, "-") - 1) : ""
}

function label_of(line, name,    size, number) {
    number = substr(name, index(name, "-") + 1)
    if (name ~ /^light/)
        return "a light caller, " (number == "quiet" ? "alone" : \
            "beside 20000 outstanding on " (number == "same" ? "the same" : "another") " service")
    if (name ~ /^services/)
        return "calls of " number " services in turn, 64 B, 1000 outstanding"
    if (name ~ /^idle/)
        return number " idle clients connected, 64 B, 1000 outstanding"
    if (name ~ /^workers/)
        return "1 client × " number ", 64 B, 1000 outstanding"
    size = field(line, "size") + 0
    size = size >= 1048576 ? size / 1048576 " MiB" : size > 1023 ? size / 1024 " KiB" : size " B"
    return field(line, "transport") ", " field(line, "clients") " × " field(line, "workers") ", " size \
        ", " field(line, "outstanding") " outstanding"
}

# Of a key in all rounds: `median`, `least`, `greatest`, `runs`. With a base, of the ratios to that
# within each round.
function spread(name, system_name, key, base_name, base_system,    round, i, x, base, sorted) {
    runs = 0
    for (round = 1; round <= rounds; round++) {
        x = value[name, system_name, key, round]
        if (base_name != "") {
            base = value[base_name, base_system, key, round]
            if (x == "" || base == "" || base + 0 == 0)
                continue
            x = x / base
        }
        if (x == "")
            continue
        for (i = runs++; i > 0 && sorted[i] > x + 0; i--)
            sorted[i + 1] = sorted[i]
        sorted[i + 1] = x + 0
    }
    median = runs % 2 ? sorted[(runs + 1) / 2] : (sorted[runs / 2] + sorted[runs / 2 + 1]) / 2
    least = sorted[1]
    greatest = sorted[runs]
    return runs
}

# What a case is compared with: the unit in the same case, or the first case of its group.
function spread_ratio(name, system_name, key) {
    if (group_of(name) != "")
        return spread(name, system_name, key, first_of[group_of(name)], system_name)
    return spread(name, system_name, key, name, unit)
}
