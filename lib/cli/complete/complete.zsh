#compdef @TOOL@
# Completions of @TOOL@ for zsh: the tool itself says what may stand at the cursor.
_mycloud_complete() {
    local -a found whole whole_texts open open_texts
    local line value about tab=$'\t'
    found=("${(@f)$("$words[1]" --complete "$PREBUFFER$LBUFFER" 2> /dev/null)}")
    case $found[1] in
        '?'*) _files; return ;;
        '!'*)
            # A command that the tool runs completes as it does by itself.
            shift ${found[1]#?} words
            (( CURRENT -= ${found[1]#?} ))
            _normal
            return
            ;;
    esac
    for line in $found; do
        value=${${line%%$tab*}#?} about=${line#*$tab}
        case $line in
            ' '*) whole+=("$value"); whole_texts+=("$value${about:+  -- $about}") ;;
            *) open+=("$value"); open_texts+=("$value${about:+  -- $about}") ;;
        esac
    done
    (( $#whole )) && compadd -l -d whole_texts -a whole
    (( $#open )) && compadd -l -S '' -d open_texts -a open
    (( $#whole + $#open ))
}
if [ "$funcstack[1]" = "_@TOOL@" ]; then
    _mycloud_complete "$@"
else
    compdef _mycloud_complete @TOOL@
fi
