# Completions of @TOOL@ for bash: the tool itself says what may stand at the cursor.
#
# bash tells of the command at the cursor alone. What a tool before it reads is known where that was
# completed on the same line; else the tool takes it for one of the files here.
_mycloud_complete() {
    local line found before="" typed=${COMP_LINE:0:COMP_POINT}
    [ "${_mycloud_at-}" != "$HISTCMD" ] || before="$_mycloud_line | "
    mapfile -t found < <("$1" --complete "$before$typed" "$COMP_WORDBREAKS" 2> /dev/null)
    COMPREPLY=()
    case ${found[0]-} in
        '?'*)
            compopt -o default
            return
            ;;
        '!'*)
            # A command that the tool runs completes as it does by itself, where bash-completion is loaded.
            if declare -F _command_offset > /dev/null; then
                _command_offset "${found[0]:1}"
            else
                [ "$COMP_CWORD" != "${found[0]:1}" ] || mapfile -t COMPREPLY < <(compgen -c -- "$2")
                compopt -o default
            fi
            return
            ;;
    esac
    compopt -o nospace
    for line in "${found[@]}"; do
        line=${line%%$'\t'*}
        case $line in
            ' '*) COMPREPLY+=("${line:1} ") ;;
            *) COMPREPLY+=("${line:1}") ;;
        esac
    done
    case $1 in
        *mc-cat | *mc-split | *mc-scatter)
            [ ${#COMPREPLY[@]} != 1 ] || typed=${typed:0:${#typed}-${#2}}${COMPREPLY[0]}
            _mycloud_at=$HISTCMD _mycloud_line=$typed
            ;;
    esac
}
complete -F _mycloud_complete @TOOL@
