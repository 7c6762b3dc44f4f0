# Medians, spreads and ratios as JSON: an array with an object for each case and system.

function triple(name) {
    return ", \"" name "\": {\"median\": " median ", \"least\": " least ", \"greatest\": " greatest "}"
}

END {
    OFMT = CONVFMT = "%.6g"
    printf "["
    for (c = 1; c <= case_count; c++) {
        for (s = 1; s <= system_count; s++) {
            if (!spread(cases[c], systems[s], "calls_per_second", "", ""))
                continue
            printf "%s\n{\"case\": \"%s\", \"system\": \"%s\", \"rounds\": %d", before, cases[c], \
                systems[s], runs
            for (k = 1; k <= key_count; k++) {
                if (spread(cases[c], systems[s], keys[k], "", ""))
                    printf "%s", triple(keys[k])
                if (spread_ratio(cases[c], systems[s], keys[k]))
                    printf "%s", triple(keys[k] "_ratio")
            }
            printf "}"
            before = ","
        }
    }
    print "\n]"
}
