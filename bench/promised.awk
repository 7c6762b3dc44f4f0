# What is promised (bench/targets.txt) beside what was reached.

function number(x) {
    return sprintf(x < 1000 ? "%.3g" : "%.0f", x)
}

function judge(words,    verdict) {
    if (words[4] == "-")
        spread(words[1], words[2], words[3], "", "")
    else if (words[4] in case_seen)
        spread(words[1], words[2], words[3], words[4], words[2])
    else
        spread(words[1], words[2], words[3], words[1], words[4])
    shown = runs > 0
    if (!shown)
        return
    verdict = words[5] == "least" ? median >= words[6] + 0 : median <= words[6] + 0
    printf "%-7s%-20s %-10s %-24s %-12s %8s (%s-%s)  at %s %s, aim %s\n", verdict ? "met" : "MISSED",
        words[1], words[2], words[3], words[4], number(median), number(least), number(greatest), words[5], words[6], words[7]
}

END {
    print "\nPromised, as ratios within a round: case, system, figure, compared with, reached"
    while ((getline line < targets) > 0) {
        if (line ~ /^note: / && shown)
            print substr(line, 7)
        else if (line !~ /^#/ && split(line, words, " ") == 7)
            judge(words)
    }
}
