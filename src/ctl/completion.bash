# Completion for peekctl: commands and options as `peekctl help` lists them, instances, and keys.
_peekctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= word i
	local -a where=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-n | --name | -s | --socket) where+=("$word" "${COMP_WORDS[++i]}") ;;
		-t | --timeout | -o | --output | -f | --file | --ttl | --flags | --mode | --cas | --from | --to | --limit | -i | --interval) ((i++)) ;;
		-*) ;;
		*) [ -z "$command" ] && command=$word ;;
		esac
	done
	case $prev in
	-n | --name)
		mapfile -t COMPREPLY < <(compgen -W "$(peekctl list 2>/dev/null | cut -d' ' -f1)" -- "$cur")
		return ;;
	-s | --socket | -o | --output | -f | --file)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--mode)
		mapfile -t COMPREPLY < <(compgen -W 'set add replace append prepend' -- "$cur")
		return ;;
	esac
	if [[ $cur == -* ]]; then
		word=$(peekctl help; [ -n "$command" ] && peekctl help "$command" 2>/dev/null)
		mapfile -t COMPREPLY < <(compgen -W "$(grep -o -e '--[a-z]\+' <<<"$word")" -- "$cur")
		return
	fi
	case $command in
	'' | help)
		mapfile -t COMPREPLY < <(compgen -W "$(peekctl help | sed -n '/^commands:/,/^options:/s/^  \([a-z]\{1,\}\).*/\1/p')" -- "$cur") ;;
	stats)
		mapfile -t COMPREPLY < <(compgen -W 'settings items slabs sizes conns snapshot reset' -- "$cur") ;;
	get | set | delete | touch | incr | decr | keys | dump)
		mapfile -t COMPREPLY < <(peekctl "${where[@]}" keys --limit 200 -- "$cur" 2>/dev/null) ;;
	esac
}
complete -F _peekctl peekctl
