#compdef tutti
# zsh completion of tutti. For this shell, after compinit:
#   source <(tutti completion zsh)
# for all of yours:
#   tutti completion zsh >"${fpath[1]}/_tutti"

_tutti() {
	local line tab=$'\t'
	local -a offers
	while IFS= read -r line; do
		case $line in
		:files*)
			compset -P '*='
			_files
			return
			;;
		*) offers+=("${${line%%$tab*}//:/\\:}:${line#*$tab}") ;;
		esac
	done < <("${words[1]/#\~/$HOME}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
	_describe tutti offers
}

if [ "${funcstack[1]}" = _tutti ]; then
	_tutti "$@"
else
	compdef _tutti tutti
fi
