# Adds up a profile of callgrind (--compress-strings=no --compress-pos=no, one kind of event): what
# the program and the C library executed themselves. -v program=NAME
# What else is in the process, libzmq above all, has its own versions and is none of ours.

/^ob=/ {
    object = substr($0, 4)
    sub(/.*\//, "", object)
    is_ours = object == program || object ~ /^libc[.-]/
}
/^calls=/ { is_inclusive = 1; next } # the line after it is what the callee took, counted there
/^[0-9]+ [0-9]+$/ {
    if (is_ours && !is_inclusive)
        sum += $2
    is_inclusive = 0
}
END { print sum + 0 }
