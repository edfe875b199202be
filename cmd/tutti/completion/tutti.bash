# bash completion of tutti. For this shell:
#   source <(tutti completion bash)
# for all of yours:
#   tutti completion bash >~/.local/share/bash-completion/completions/tutti

_tutti() {
	local line word=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]/#\~/$HOME}
	[ "$word" = = ] && word=
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:files*)
			compopt -o filenames 2>/dev/null
			while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$word")
			;;
		*) COMPREPLY+=("${line%%$'\t'*}") ;;
		esac
	done < <("$program" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}

complete -F _tutti tutti
