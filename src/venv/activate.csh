# Read this by `source bin/activate.csh` in csh or tcsh; `deactivate` goes back.

alias deactivate 'test $?_PEX_VENV_OLD_PATH != 0 && setenv PATH "$_PEX_VENV_OLD_PATH:q" && unset _PEX_VENV_OLD_PATH; test $?_PEX_VENV_OLD_PROMPT != 0 && set prompt="$_PEX_VENV_OLD_PROMPT:q" && unset _PEX_VENV_OLD_PROMPT; unsetenv VIRTUAL_ENV VIRTUAL_ENV_PROMPT; rehash; test "\!:*" != keep && unalias deactivate'

deactivate keep

setenv VIRTUAL_ENV @VENV@
setenv VIRTUAL_ENV_PROMPT @PROMPT@

set _PEX_VENV_OLD_PATH="$PATH:q"
setenv PATH "${VIRTUAL_ENV:q}/bin:${PATH:q}"

if (! $?VIRTUAL_ENV_DISABLE_PROMPT) then
    if ($?prompt) then
        set _PEX_VENV_OLD_PROMPT="$prompt:q"
        set prompt="${VIRTUAL_ENV_PROMPT:q}$prompt:q"
    endif
endif

rehash
