# Measured instructions per call (second file) beside the committed ones (first file): a table, and
# exit code 1 unless each is within 5 % of its figure. Of too few the figure is at fault: it would
# hide what is lost again.

BEGIN {
    most = 1.05
    least = 0.95
    row = "%-20s %10s %10s  %-6s %s\n"
    printf row, "path", "now", "committed", "ratio", ""
}
/^#/ || NF != 2 || $2 !~ /^[0-9.]+$/ { next }
FILENAME == ARGV[1] { committed[$1] = $2; next }
{
    measured[$1] = 1
    figure = ratio = "-"
    if ($1 in committed)
        figure = committed[$1]
    if (figure + 0 > 0)
        ratio = sprintf("%.3f", $2 / figure)
    printf row, $1, $2, figure, ratio, verdict($1, $2)
}
END {
    for (path in committed)
        if (!(path in measured)) {
            printf row, path, "-", committed[path], "-", "was not measured"
            failed = 1
        }
    exit failed
}

function verdict(path, now) {
    if (path in committed && now + 0 > 0 && now <= committed[path] * most &&
        now >= committed[path] * least)
        return ""
    failed = 1
    if (!(path in committed))
        return "has no figure: make bench-guard UPDATE=1"
    if (now + 0 == 0)
        return "nothing was counted"
    return now > committed[path] * most ? "TOO MANY" : "fewer: lower the figure with UPDATE=1"
}
