# The table for people: each case with its systems, medians with least and greatest.

function number(x) {
    return x >= 1000 ? sprintf("%.0f", x) : sprintf("%.3g", x)
}

function ratio(x) {
    return sprintf(x < 10 ? "%.2f" : "%.0f", x)
}

function cell(width, text) {
    return sprintf("%" width "s", text) # in bytes, so text of other than ASCII comes last
}

function figures(name, system_name, key,    text) {
    text = "-"
    if (spread(name, system_name, key, "", ""))
        text = number(median) " (" number(least) "-" number(greatest) ")"
    line = line cell(25, text)
    text = "-"
    if (spread_ratio(name, system_name, key))
        text = ratio(median) " (" ratio(least) "-" ratio(greatest) ")"
    line = line cell(18, text)
}

function heading(timed) {
    line = cell(-10, "") cell(25, "calls/s") cell(18, "ratio") cell(25, "broker CPU us/call") \
        cell(18, "ratio")
    if (timed)
        line = line cell(25, "p50 us") cell(18, "ratio") cell(25, "p99.9 us") cell(18, "ratio")
    print line cell(10, "peak MiB")
}

END {
    for (c = 1; c <= case_count; c++) {
        name = cases[c]
        timed = 0
        for (s = 1; s <= system_count; s++)
            timed += spread(name, systems[s], "p50_us", "", "")
        print "\n" label[name] "  [" name "]"
        heading(timed)
        for (s = 1; s <= system_count; s++) {
            if (!spread(name, systems[s], "calls_per_second", "", ""))
                continue
            line = cell(-10, systems[s])
            figures(name, systems[s], "calls_per_second")
            figures(name, systems[s], "broker_cpu_us_per_call")
            if (timed) {
                figures(name, systems[s], "p50_us")
                figures(name, systems[s], "p999_us")
            }
            spread(name, systems[s], "broker_peak_kib", "", "")
            line = line cell(10, runs ? number(median / 1024) : "-")
            if (spread(name, systems[s], "idle_kib_each", "", ""))
                line = line "  " number(median) " KiB for each idle client"
            print line
        }
    }
}
