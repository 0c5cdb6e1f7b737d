# Completion for peekctl: the commands and options that `peekctl help` lists, instances, and keys.
_peekctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= escape= word i
	local -a where=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-n | --name | -s | --socket) where+=("$word" "${COMP_WORDS[++i]}") ;;
		-t | --timeout | -o | --output | -f | --file | --ttl | --flags | --mode | --cas | --from | --to | --prefix | --limit | -i | --interval) ((i++)) ;;
		-x | --escape) escape=1 ;;
		-*) ;;
		*) [ -z "$command" ] && command=$word ;;
		esac
	done
	case $prev in
	-n | --name)
		mapfile -t COMPREPLY < <(compgen -W "$(peekctl list 2>/dev/null | cut -d' ' -f1)" -- "$cur")
		return ;;
	-s | --socket | -o | --output | -f | --file)
		_peekctl_files
		return ;;
	--prefix | --from | --to)
		_peekctl_keys
		return ;;
	--mode)
		mapfile -t COMPREPLY < <(compgen -W 'set add replace append prepend' -- "$cur")
		return ;;
	esac
	if [[ $cur == -* ]]; then
		word=$(peekctl help; [ -n "$command" ] && peekctl help "$command" 2>/dev/null)
		mapfile -t COMPREPLY < <(compgen -W "$(grep -o -e '--[a-z][a-z-]*' <<<"$word")" -- "$cur")
		return
	fi
	case $command in
	'' | help)
		mapfile -t COMPREPLY < <(compgen -W "$(peekctl help | sed -n '/^commands:/,/^options:/s/^  \([a-z]\{1,\}\).*/\1/p')" -- "$cur") ;;
	stats)
		mapfile -t COMPREPLY < <(compgen -W 'settings items slabs sizes conns snapshot reset' -- "$cur") ;;
	save | load)
		_peekctl_files ;;
	get | set | delete | touch | incr | decr | keys | dump)
		_peekctl_keys ;;
	esac
}

_peekctl_files() {
	compopt -o filenames 2>/dev/null # quotes them, and a folder's name goes on
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

# Keys that begin with the word, quoted for the shell; without -x those that a word can hold.
_peekctl_keys() {
	local -a keys=()
	local k
	mapfile -d '' -t keys < <(peekctl "${where[@]}" keys -0 ${escape:+-x} --limit 200 -- "$cur" 2>/dev/null)
	COMPREPLY=()
	for k in "${keys[@]}"; do
		printf -v k %q "$k"
		COMPREPLY+=("$k")
	done
}
complete -F _peekctl peekctl
