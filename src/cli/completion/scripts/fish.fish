# fish completion of kubectl-gkeprof and kubectl gkeprof: kubectl gkeprof completion fish | source

# $argv[1]: how many words of the line are before the plugin's own.
function __gkeprof_complete
    set -l words (commandline -opc)
    set -l begun (commandline -ct)
    set -e words[1..$argv[1]]
    set -l out (kubectl-gkeprof __complete $words "$begun" 2>/dev/null)
    or return
    string match -qr '^:\d+$' -- $out[-1]
    or return
    set -l directive (string sub -s 2 -- $out[-1])
    set -e out[-1]
    # Here the flag is a part of the choice. An empty list would make each choice none.
    set -l before (string match -r -- '^-[^=]*=' "$begun"; or echo)
    if test (math "bitand($directive, 8)") -gt 0
        __fish_complete_suffix --complete=(string replace -- "$before" '' "$begun") .$out
    else if test (math "bitand($directive, 16)") -gt 0
        __fish_complete_directories (string replace -- "$before" '' "$begun") ''
    else if test $directive -eq 0
        __fish_complete_path (string replace -- "$before" '' "$begun")
    else
        for line in $out
            printf '%s\n' $before$line
        end
    end
end

complete -c kubectl-gkeprof -f -k -a '(__gkeprof_complete 1)'
complete -c kubectl -n 'set -l words (commandline -opc); test "$words[2]" = gkeprof' -f -k -a '(__gkeprof_complete 2)'
