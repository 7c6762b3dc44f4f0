# Busbar's ratios to the unit, for scripts: `CASE.KEY RATIO`.

END {
    for (c = 1; c <= case_count; c++) {
        for (k = 1; k <= key_count; k++) {
            if (spread_ratio(cases[c], "busbar", keys[k]))
                printf "%s.%s %.3f\n", cases[c], keys[k], median
        }
    }
}
