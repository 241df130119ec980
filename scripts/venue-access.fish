# AWS credentials in your fish. In your config.fish:  source CHECKOUT/scripts/venue-access.fish
#
#   vause [NAME]       set the credentials of an account; without a name, list them (ec2switch)
#   vamfa [NAME]       begin its MFA session                                        (ec2mfa)
#   vanow              show the account whose credentials are set                   (ec2now)
#   vatoken VENUE      set a token of a venue, issued for you
#   vaunset            unset every AWS variable that the kit set
#
# Each takes the flags of its command: account.use, account.mfa, account.whoami, issue-token, account.unset. If one
# fails, the environment is unchanged.

set -g _venue_access_file (status filename)
string match -q '/*' -- $_venue_access_file; or set -g _venue_access_file $PWD/$_venue_access_file

function _venue_access -d 'run a command of the kit, from any folder'
    set -l file (readlink -f -- $_venue_access_file; or echo $_venue_access_file)
    set -l root (string replace -r '/[^/]*/[^/]*$' '' -- $file)
    if not test -x $root/.venv/bin/invoke
        echo "error: $root is not set up; run: $root/scripts/bootstrap" >&2
        return 2
    end
    $root/.venv/bin/invoke --search-root $root $argv
end

function _venue_access_eval -d 'evaluate the output of a command if it succeeds'
    # Not in (...), where a command cannot read a code from standard input.
    _venue_access $argv --format=fish | read -lz statements
    set -l code $pipestatus[1]
    if test $code -eq 0
        string collect -- $statements | source
    end
    return $code
end

function vause
    if test (count $argv) -eq 0
        _venue_access account.list
    else
        _venue_access_eval account.use --name=$argv[1] $argv[2..-1]
    end
end

function vamfa
    if test (count $argv) -eq 0; or string match -q -- '-*' $argv[1]
        _venue_access_eval account.mfa $argv
    else
        _venue_access_eval account.mfa --name=$argv[1] $argv[2..-1]
    end
end

function vanow
    _venue_access account.whoami $argv
end

function vatoken
    if test (count $argv) -eq 0
        echo 'usage: vatoken VENUE [--user NAME] [flags of issue-token]' >&2
        return 2
    end
    set -l flags $argv[2..-1]
    if not string match -q -r -- '^--user(=|$)' $flags
        set -q USER; or set -l USER (id -un)
        set -a flags --user=$USER
    end
    _venue_access_eval issue-token --venue=$argv[1] $flags
    set -l code $status
    test $code -ne 0; or set -eg VENUE_ACCESS_ACCOUNT # these credentials are not an account's
    return $code
end

function vaunset
    _venue_access_eval account.unset $argv
end

function ec2switch
    if test (count $argv) -eq 0
        vause
    else
        vause $argv --legacy
    end
end

function ec2mfa
    vamfa $argv --legacy
end

function ec2now
    vanow $argv
end

function generate-sts-role-token
    _venue_access account.role-token $argv
end

function _venue_access_names -d 'print the completions of a function, one on each line'
    switch $argv[1]
        case vatoken
            _venue_access inventory.names 2>/dev/null
        case recipients
            _venue_access inventory.names --users 2>/dev/null
        case '*'
            _venue_access account.list 2>/dev/null | string split ' ' | tail -n +3
    end
end

complete -c vause -c vamfa -c ec2switch -c ec2mfa -f -a '(_venue_access_names account)'
complete -c vatoken -f -a '(_venue_access_names vatoken)'
complete -c vatoken -l user -x -a '(_venue_access_names recipients)'
