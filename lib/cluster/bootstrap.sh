# Finds or receives the worker on a host, and becomes it. Read by /bin/sh from standard input, behind
# a line that sets mc_left, mc_right (a nonce in two halves), mc_system, mc_hash and mc_size. It is
# one compound command: nothing of it is left to read when it takes the worker from the same stream.
#
# What it says: "NONCE SYSTEM MACHINE", then, on another system than mc_system, "other", to which the
# answer is a line with hash and size of the worker for that, if there is one; then "none WHY", "full WHY", or "send DIR" and, when the worker
# has come, "ready DIR" or "failed WHY"; "ready DIR" at once when the worker is there already. "wait", any number
# of times before these, while another shell is receiving it.
# Nothing is exported and no mask or trap stays: the worker's tasks get the login's surroundings.
# shellcheck shell=sh disable=SC2154,SC2174,SC2046
{
mc_none() { mc_why="${mc_why:+$mc_why; }$1"; }

mc_whole() {
    case $(sha256sum < "$1" 2> /dev/null) in
        "$mc_hash "*) return 0 ;;
        *) return 1 ;;
    esac
}

mc_start() {
    if [ -n "$mc_turn" ]; then
        mc_done
        trap - HUP INT TERM PIPE
    fi
    printf 'ready %s\n' "$mc_dir"
    exec "$mc_file" "$mc_dir"
}

# Becomes the worker if another shell has received it.
mc_start_if_here() {
    if [ -f "$mc_file" ] && [ -x "$mc_file" ] && mc_whole "$mc_file"; then
        mc_start
    fi
}

# Lets the next one have its turn, if it is this shell's.
mc_done() {
    mc_other=
    read -r mc_other 2> /dev/null < "$mc_turn"
    if [ "$mc_other" = $$ ]; then
        rm -f "$mc_turn"
    fi
}

# Waits while another shell receives the worker, as long as anything comes there, and for some five seconds where
# nothing does. The tools of a pipeline come at once: one of them sends it, and has a slow line for itself.
# It saves work, no more: two that receive it are not in each other's way.
mc_wait() {
    mc_ticks=0
    mc_came=
    until (set -C && : > "$mc_turn") 2> /dev/null; do
        mc_start_if_here
        mc_other=
        if ! read -r mc_other 2> /dev/null < "$mc_turn"; then
            # It has just gone, or just come; or nothing can be made here.
            mc_ticks=$((mc_ticks + 20))
        elif ! kill -0 "$mc_other" 2> /dev/null; then
            rm -f "$mc_turn"
        elif [ $((mc_ticks % 20)) -eq 0 ]; then
            mc_now=$(wc -c 2> /dev/null < "$mc_dir/bin/.tmp.$mc_other")
            if [ "$mc_now" != "$mc_came" ]; then
                mc_came=$mc_now
                mc_ticks=0
                printf 'wait\n'
            fi
        fi
        if [ $mc_ticks -ge 100 ]; then
            return
        fi
        # Some know whole seconds only.
        sleep 0.05 2> /dev/null || { sleep 1 && mc_ticks=$((mc_ticks + 19)); }
        mc_ticks=$((mc_ticks + 1))
    done
    if ! echo $$ 2> /dev/null > "$mc_turn"; then
        # There is no room for it, nor for what is to come.
        rm -f "$mc_turn"
    fi
    mc_start_if_here
}

mc_receive() {
    mc_new=$mc_dir/bin/.tmp.$$
    mc_turn=$mc_dir/bin/.tmp.$mc_hash
    # Who hangs up meanwhile is noticed when something is said.
    trap 'rm -f "$mc_new"; mc_done; exit 1' HUP INT TERM PIPE
    mkdir -p -m 700 "$mc_dir/bin" 2> /dev/null
    mc_wait
    if ! (umask 077 && head -c "$mc_size" /dev/zero > "$mc_new") 2> /dev/null; then
        mc_none "$mc_dir: no room for $mc_size bytes"
        mc_word=full
    elif ! chmod 700 "$mc_new" || ! [ -x "$mc_new" ]; then
        mc_none "$mc_dir: nothing may be executed there"
    else
        find "$mc_dir/bin" -type f \( -mtime +30 -o -name '.tmp.*' -mtime +0 \) \
            -exec rm -f {} + 2> /dev/null
        # Should this shell be killed, somebody else removes what came so far.
        (while [ -e "$mc_new" ] && kill -0 $$; do sleep 1; done; rm -f "$mc_new"; mc_done) \
            < /dev/null > /dev/null 2>&1 &
        printf 'send %s\n' "$mc_dir"
        head -c "$mc_size" > "$mc_new"
        if ! mc_whole "$mc_new"; then
            rm -f "$mc_new"
            mc_done
            printf 'failed what came is not what was sent\n'
        elif ! mv -f "$mc_new" "$mc_file"; then
            printf 'failed cannot name the file\n'
        else
            mc_start
        fi
        rm -f "$mc_new"
        mc_done
        exit 1
    fi
    rm -f "$mc_new"
    mc_done
    mc_turn=
    trap - HUP INT TERM PIPE
}

mc_try() {
    mc_dir=$2
    if ! [ -d "$1" ]; then
        mc_none "$mc_dir: there is no $1"
        return
    fi
    mkdir -p -m 700 "$mc_dir" 2> /dev/null
    set -f
    set -- $(LC_ALL=C ls -ldn "$mc_dir" 2> /dev/null)
    set +f
    case "$1 $3" in
        "drwx--"[-S]"--- $mc_uid" | "drwx--"[-S]"---. $mc_uid") ;;
        " ")
            mc_none "$mc_dir: cannot be made"
            return
            ;;
        *)
            mc_none "$mc_dir: not a private directory of this login"
            return
            ;;
    esac
    mc_file=$mc_dir/bin/$mc_hash
    mc_start_if_here
    mc_receive
}

set -- $(uname -snm)
mc_node=$2
printf '%s%s %s %s\n' "$mc_left" "$mc_right" "$1" "$3"
if [ "$1 $3" != "$mc_system" ]; then
    printf 'other\n'
    mc_hash=
    read -r mc_hash mc_size
    if [ -z "$mc_hash" ]; then
        exit 1
    fi
fi
mc_why=
mc_word=none
mc_turn=
mc_uid=$(id -u)
if ! command -v sha256sum > /dev/null; then
    printf 'none it has no sha256sum\n'
    exit 1
fi
mc_try /var/tmp "/var/tmp/mycloud-$mc_uid"
mc_try /tmp "/tmp/mycloud-$mc_uid"
if [ -n "$HOME" ]; then
    mc_try "$HOME" "$HOME/.cache/mycloud/$mc_node"
fi
if [ -n "$XDG_RUNTIME_DIR" ]; then
    mc_try "$XDG_RUNTIME_DIR" "$XDG_RUNTIME_DIR/mycloud"
fi
mc_try /dev/shm "/dev/shm/mycloud-$mc_uid"
printf '%s %s\n' "$mc_word" "$mc_why"
exit 1
}
