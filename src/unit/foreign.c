/*
 * Names only, one after the other with a NUL between: as an array of pointers they would cost a
 * relocation each in every process. Taken from systemd.directives(7), versions 252 to 255, and the
 * names that older versions had. Conditions and asserts are two words each.
 */
#include "unit/foreign.h"

#include <stddef.h>
#include <string.h>

static const char unit_names[] =
	"After\0Before\0BindsTo\0BindTo\0CollectMode\0Conflicts\0DefaultDependencies\0FailureAction"
	"\0"
	"FailureActionExitStatus\0IgnoreOnIsolate\0IgnoreOnSnapshot\0AllowIsolate\0"
	"JobRunningTimeoutSec\0JobTimeoutAction\0JobTimeoutRebootArgument\0JobTimeoutSec\0"
	"JoinsNamespaceOf\0OnFailure\0OnFailureIsolate\0OnFailureJobMode\0OnSuccess\0"
	"OnSuccessJobMode\0PartOf\0PropagateReloadFrom\0PropagateReloadTo\0PropagatesReloadTo\0"
	"PropagatesStopTo\0RebootArgument\0RefuseManualStart\0RefuseManualStop\0"
	"ReloadPropagatedFrom\0RequiresMountsFor\0WantsMountsFor\0Requires\0RequiresOverridable\0"
	"Requisite\0RequisiteOverridable\0SourcePath\0StartLimitAction\0StopPropagatedFrom\0"
	"StopWhenUnneeded\0SuccessAction\0SuccessActionExitStatus\0SurviveFinalKillSignal\0"
	"Upholds\0Wants\0";

static const char condition_names[] =
	"ACPower\0Architecture\0CPUFeature\0CPUPressure\0CPUs\0Capability\0ControlGroupController\0"
	"Credential\0DirectoryNotEmpty\0Environment\0FileIsExecutable\0FileNotEmpty\0Firmware\0"
	"FirstBoot\0Group\0Host\0IOPressure\0KernelCommandLine\0KernelVersion\0Memory\0"
	"MemoryPressure\0NeedsUpdate\0Null\0OSRelease\0PathExists\0PathExistsGlob\0PathIsDirectory"
	"\0"
	"PathIsEncrypted\0PathIsMountPoint\0PathIsReadWrite\0PathIsSymbolicLink\0Security\0User\0"
	"Virtualization\0";

static const char service_names[] =
	/* systemd.service(5) */
	"BusName\0BusPolicy\0ExecCondition\0ExecReload\0ExecStartPost\0ExecStartPre\0ExecStop\0"
	"ExecStopPost\0ExitType\0FailureAction\0FileDescriptorStoreMax\0"
	"FileDescriptorStorePreserve\0GuessMainPID\0NonBlocking\0OOMPolicy\0OpenFile\0PIDFile\0"
	"PermissionsStartOnly\0RebootArgument\0ReloadSignal\0RestartMode\0RootDirectoryStartOnly\0"
	"RuntimeRandomizedExtraSec\0Sockets\0StartLimitAction\0SysVStartPriority\0TimeoutAbortSec\0"
	"TimeoutStartFailureMode\0TimeoutStopFailureMode\0USBFunctionDescriptors\0"
	"USBFunctionStrings\0"
	/* systemd.kill(5) */
	"FinalKillSignal\0RestartKillSignal\0WatchdogSignal\0"
	/* systemd.exec(5) */
	"AmbientCapabilities\0AppArmorProfile\0BindPaths\0BindReadOnlyPaths\0CPUAffinity\0"
	"CPUSchedulingPolicy\0CPUSchedulingPriority\0CPUSchedulingResetOnFork\0CacheDirectory\0"
	"CacheDirectoryMode\0Capabilities\0CapabilityBoundingSet\0ConfigurationDirectory\0"
	"ConfigurationDirectoryMode\0CoredumpFilter\0DynamicUser\0ExecPaths\0ExecSearchPath\0"
	"ExtensionDirectories\0ExtensionImages\0IOSchedulingClass\0IOSchedulingPriority\0"
	"IPCNamespacePath\0ImportCredential\0InaccessibleDirectories\0InaccessiblePaths\0"
	"KeyringMode\0LimitLOCKS\0LoadCredential\0LoadCredentialEncrypted\0LockPersonality\0"
	"LogExtraFields\0LogFilterPatterns\0LogLevelMax\0LogNamespace\0LogRateLimitBurst\0"
	"LogRateLimitIntervalSec\0LogsDirectory\0LogsDirectoryMode\0MemoryDenyWriteExecute\0"
	"MemoryKSM\0MountAPIVFS\0MountFlags\0MountImages\0NUMAMask\0NUMAPolicy\0"
	"NetworkNamespacePath\0NoExecPaths\0PAMName\0PassEnvironment\0Personality\0PrivateDevices\0"
	"PrivateIPC\0PrivateMounts\0PrivateNetwork\0PrivateTmp\0PrivateUsers\0ProcSubset\0"
	"ProtectClock\0ProtectControlGroups\0ProtectHome\0ProtectHostname\0ProtectKernelLogs\0"
	"ProtectKernelModules\0ProtectKernelTunables\0ProtectProc\0ProtectSystem\0"
	"ReadOnlyDirectories\0ReadOnlyPaths\0ReadWriteDirectories\0ReadWritePaths\0RemoveIPC\0"
	"RestrictAddressFamilies\0RestrictFileSystems\0RestrictNamespaces\0RestrictRealtime\0"
	"RestrictSUIDSGID\0RootDirectory\0RootEphemeral\0RootHash\0RootHashSignature\0RootImage\0"
	"RootImageOptions\0RootImagePolicy\0RootVerity\0RuntimeDirectory\0RuntimeDirectoryMode\0"
	"RuntimeDirectoryPreserve\0SELinuxContext\0SecureBits\0SetCredential\0"
	"SetCredentialEncrypted\0SetLoginEnvironment\0SmackProcessLabel\0StandardInputData\0"
	"StandardInputText\0StateDirectory\0StateDirectoryMode\0SyslogFacility\0SyslogIdentifier\0"
	"SyslogLevel\0SyslogLevelPrefix\0SystemCallArchitectures\0SystemCallErrorNumber\0"
	"SystemCallFilter\0SystemCallLog\0TCPWrapName\0TTYColumns\0TTYPath\0TTYReset\0TTYRows\0"
	"TTYVHangup\0TTYVTDisallocate\0TemporaryFileSystem\0TimerSlackNSec\0UtmpIdentifier\0"
	"UtmpMode\0"
	/* systemd.resource-control(5) */
	"AllowedCPUs\0AllowedMemoryNodes\0BPFProgram\0BlockIOAccounting\0BlockIODeviceWeight\0"
	"BlockIOReadBandwidth\0BlockIOWeight\0BlockIOWriteBandwidth\0CPUAccounting\0CPUQuota\0"
	"CPUQuotaPeriodSec\0CPUShares\0CPUWeight\0CoredumpReceive\0DefaultMemoryLow\0"
	"DefaultMemoryMin\0DefaultStartupMemoryLow\0Delegate\0DelegateSubgroup\0DeviceAllow\0"
	"DevicePolicy\0DisableControllers\0IOAccounting\0IODeviceLatencyTargetSec\0IODeviceWeight\0"
	"IOReadBandwidthMax\0IOReadIOPSMax\0IOWeight\0IOWriteBandwidthMax\0IOWriteIOPSMax\0"
	"IPAccounting\0IPAddressAllow\0IPAddressDeny\0IPEgressFilterPath\0IPIngressFilterPath\0"
	"ManagedOOMMemoryPressure\0ManagedOOMMemoryPressureLimit\0ManagedOOMPreference\0"
	"ManagedOOMSwap\0MemoryAccounting\0MemoryHigh\0MemoryLimit\0MemoryLow\0MemoryMax\0"
	"MemoryMin\0MemoryPressureThresholdSec\0MemoryPressureWatch\0MemorySwapMax\0MemoryZSwapMax"
	"\0"
	"NFTSet\0RestrictNetworkInterfaces\0Slice\0SocketBindAllow\0SocketBindDeny\0"
	"StartupAllowedCPUs\0StartupAllowedMemoryNodes\0StartupBlockIOWeight\0StartupCPUShares\0"
	"StartupCPUWeight\0StartupIOWeight\0StartupMemoryHigh\0StartupMemoryLow\0StartupMemoryMax\0"
	"StartupMemorySwapMax\0StartupMemoryZSwapMax\0TasksAccounting\0TasksMax\0";

static const char section_names[] =
	"Install\0Socket\0Timer\0Path\0Mount\0Automount\0Swap\0Slice\0Scope\0";

/* names ends with an empty one (the literal's own NUL). */
static bool contains(const char *names, const char *name)
{
	for (; *names; names += strlen(names) + 1)
		if (strcmp(names, name) == 0)
			return true;
	return false;
}

bool foreign_key_is_known(const char *section, const char *name)
{
	if (strcmp(section, "Service") == 0)
		return contains(service_names, name);
	if (strcmp(section, "Unit") != 0)
		return false;
	if (strncmp(name, "Condition", 9) == 0)
		return contains(condition_names, name + 9);
	if (strncmp(name, "Assert", 6) == 0)
		return contains(condition_names, name + 6);
	return contains(unit_names, name);
}

bool foreign_section_is_known(const char *section)
{
	return contains(section_names, section);
}
