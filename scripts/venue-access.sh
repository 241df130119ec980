# shellcheck shell=bash
# AWS credentials in your bash or zsh. In your ~/.bashrc or ~/.zshrc:  source CHECKOUT/scripts/venue-access.sh
#
#   vause [NAME]       set the credentials of an account; without a name, list them (ec2switch)
#   vamfa [NAME]       begin its MFA session                                        (ec2mfa)
#   vanow              show the account whose credentials are set                   (ec2now)
#   vatoken VENUE      set a token of a venue, issued for you
#   vaunset            unset every AWS variable that the kit set
#
# Each takes the flags of its command: account.use, account.mfa, account.whoami, issue-token, account.unset. If one
# fails, the environment is unchanged.

# Only the file's location is determined here; the functions find their checkout from it when they are called.
if [ -n "${ZSH_VERSION-}" ]; then
    eval '_venue_access_file=${(%):-%x}'
else
    _venue_access_file=${BASH_SOURCE[0]}
fi
case $_venue_access_file in /*) ;; *) _venue_access_file=$PWD/$_venue_access_file ;; esac

_venue_access() { # run a command of the kit, from any folder
    local root file
    file=$(readlink -f -- "$_venue_access_file") || file=$_venue_access_file
    root=${file%/*/*}
    if [ ! -x "$root/.venv/bin/invoke" ]; then
        echo "error: $root is not set up; run: $root/scripts/bootstrap" >&2
        return 2
    fi
    "$root/.venv/bin/invoke" --search-root "$root" "$@"
}

_venue_access_eval() { # evaluate a command's output if it succeeds
    local statements traced='' code=0
    case $- in *x*) traced=1 ;; esac
    { set +x; } 2>/dev/null # a trace would show the credentials
    statements=$(_venue_access "$@") || code=$?
    [ "$code" -ne 0 ] || eval "$statements"
    [ -z "$traced" ] || set -x
    return "$code"
}

vause() {
    if [ $# -eq 0 ]; then
        _venue_access account.list
    else
        local name=$1
        shift
        _venue_access_eval account.use --name="$name" "$@"
    fi
}

vamfa() {
    case ${1-} in
        '' | -*) _venue_access_eval account.mfa "$@" ;;
        *)
            local name=$1
            shift
            _venue_access_eval account.mfa --name="$name" "$@"
            ;;
    esac
}

vanow() { _venue_access account.whoami "$@"; }

vatoken() {
    if [ $# -eq 0 ]; then
        echo "usage: vatoken VENUE [--user NAME] [flags of issue-token]" >&2
        return 2
    fi
    local venue=$1 code=0
    shift
    case " $* " in
        *" --user"[\ =]*) ;;
        *) set -- --user="${USER:-$(id -un)}" "$@" ;;
    esac
    _venue_access_eval issue-token --venue="$venue" --format=env "$@" || code=$?
    [ "$code" -ne 0 ] || unset VENUE_ACCESS_ACCOUNT # these credentials are not an account's
    return "$code"
}

vaunset() { _venue_access_eval account.unset "$@"; }

ec2switch() { if [ $# -eq 0 ]; then vause; else vause "$@" --legacy; fi; }
ec2mfa() { vamfa "$@" --legacy; }
ec2now() { vanow "$@"; }
generate-sts-role-token() { _venue_access account.role-token "$@"; }

_venue_access_names() { # print the completions of a function, one on each line
    case $1 in
        vatoken) _venue_access inventory.names ;;
        recipients) _venue_access inventory.names --users ;;
        *) _venue_access account.list | tr ' ' '\n' | sed 1,2d ;;
    esac 2>/dev/null
}

if [ -n "${ZSH_VERSION-}" ]; then
    _venue_access_complete() {
        # shellcheck disable=SC2154 # zsh: the words of the line
        local what=${words[1]}
        [ "${words[CURRENT-1]}" = --user ] && what=recipients
        # shellcheck disable=SC2296 # zsh: split the output into lines
        eval 'compadd -- ${(f)"$(_venue_access_names "$what")"}'
    }
    if command -v compdef >/dev/null; then
        compdef _venue_access_complete vause vamfa vatoken ec2switch ec2mfa
    fi
else
    _venue_access_complete() {
        local what=$1 name
        [ "$3" != --user ] || what=recipients
        COMPREPLY=()
        while IFS= read -r name; do
            case $name in "$2"*) COMPREPLY+=("$name") ;; esac
        done <<EOF
$(_venue_access_names "$what")
EOF
    }
    complete -F _venue_access_complete vause vamfa vatoken ec2switch ec2mfa
fi
