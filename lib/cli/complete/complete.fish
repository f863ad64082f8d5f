# Completions of @TOOL@ for fish: the tool itself says what may stand at the cursor.
function __mycloud_complete
    set -l typed (commandline -c | string collect)
    set -l found (command $argv[1] --complete $typed 2> /dev/null)
    switch "$found[1]"
        case '\?*'
            __fish_complete_path (commandline -ct)
        case '!*'
            # A command that the tool runs completes as it does by itself.
            set -l at (math (string sub -s 2 -- $found[1]) + 1)
            set -l words (commandline -opc)[$at..]
            complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
        case '*'
            string sub -s 2 -- $found
    end
end
complete -c @TOOL@ -f -a '(__mycloud_complete @TOOL@)'
