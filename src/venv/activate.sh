# Read this by `. bin/activate` in a POSIX shell; `deactivate` goes back.

deactivate() {
    if [ -n "${_PEX_VENV_ACTIVE:-}" ]; then
        PATH="$_PEX_VENV_OLD_PATH"
        export PATH
        if [ -n "${_PEX_VENV_OLD_PYTHONHOME+set}" ]; then
            PYTHONHOME="$_PEX_VENV_OLD_PYTHONHOME"
            export PYTHONHOME
        fi
        if [ -n "${_PEX_VENV_OLD_PS1+set}" ]; then
            PS1="$_PEX_VENV_OLD_PS1"
        fi
        unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT
        unset _PEX_VENV_ACTIVE _PEX_VENV_OLD_PATH _PEX_VENV_OLD_PYTHONHOME _PEX_VENV_OLD_PS1
    fi
    # Shells remember where commands are.
    hash -r 2>/dev/null || true
    if [ "${1:-}" != keep ]; then
        unset -f deactivate
    fi
}

deactivate keep

_PEX_VENV_ACTIVE=1
VIRTUAL_ENV=@VENV@
VIRTUAL_ENV_PROMPT=@PROMPT@
export VIRTUAL_ENV VIRTUAL_ENV_PROMPT

_PEX_VENV_OLD_PATH="${PATH:-}"
PATH="$VIRTUAL_ENV/bin${PATH:+:$PATH}"
export PATH

if [ -n "${PYTHONHOME+set}" ]; then
    _PEX_VENV_OLD_PYTHONHOME="$PYTHONHOME"
    unset PYTHONHOME
fi

if [ -z "${VIRTUAL_ENV_DISABLE_PROMPT:-}" ]; then
    _PEX_VENV_OLD_PS1="${PS1:-}"
    PS1="$VIRTUAL_ENV_PROMPT${PS1:-}"
fi

hash -r 2>/dev/null || true
