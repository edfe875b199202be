# fish completion of tutti. For this shell:
#   tutti completion fish | source
# for all of yours:
#   tutti completion fish >~/.config/fish/completions/tutti.fish

function __tutti_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~' $HOME -- $words[1])
    for line in ($program complete -- $words[2..-1] "$current" 2>/dev/null)
        if string match -q ':files*' -- $line
            __fish_complete_path (string replace -r '^--[^=]*=' '' -- "$current")
        else
            echo $line
        end
    end
end

complete -c tutti -f -a '(__tutti_complete)'
